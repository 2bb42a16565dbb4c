package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"signalbox/internal/spool"
)

// S3 is a store in a bucket of S3 or of what speaks like it.
type S3 struct {
	core           *minio.Core
	bucket, prefix string
	puts           chan struct{}
}

// bucketSettings are what an address says: s3://bucket/prefix?endpoint=https://host&region=name&path_style=true.
// Without an endpoint it is Amazon's. Keys are never in it.
type bucketSettings struct {
	bucket, prefix, host, region string
	secure                       bool
	lookup                       minio.BucketLookupType
}

func s3Settings(u *url.URL) (bucketSettings, error) {
	s := bucketSettings{bucket: u.Host, prefix: strings.Trim(u.Path, "/"), host: "s3.amazonaws.com", secure: true}
	if s.bucket == "" {
		return s, errors.New("names no bucket: want s3://bucket/prefix")
	}
	if u.User != nil {
		return s, errors.New("holds keys: give them in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	for name, values := range u.Query() {
		value := values[len(values)-1]
		switch name {
		case "region":
			s.region = value
		case "endpoint":
			e, err := url.Parse(value)
			if err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Host == "" || strings.Trim(e.Path, "/") != "" {
				return s, errors.New("endpoint is not http(s)://host[:port]")
			}
			s.host, s.secure = e.Host, e.Scheme == "https"
		case "path_style":
			on, err := strconv.ParseBool(value)
			if err != nil {
				return s, errors.New("path_style is not true or false")
			}
			if on {
				s.lookup = minio.BucketLookupPath
			}
		default:
			return s, fmt.Errorf("%s is not known: there are endpoint, region and path_style", name)
		}
	}
	return s, nil
}

// newS3 opens a bucket. Keys come from the environment, from Amazon's files, or from the machine's role. A
// bucket that does not exist or may not be used is an error; one that cannot be reached now may be later.
func newS3(ctx context.Context, u *url.URL, transport http.RoundTripper) (*S3, error) {
	s, err := s3Settings(u)
	if err != nil {
		return nil, err
	}
	core, err := minio.NewCore(s.host, &minio.Options{
		Creds: credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{Client: &http.Client{Timeout: 5 * time.Second}},
		}),
		Secure: s.secure, Region: s.region, BucketLookup: s.lookup, MaxRetries: 3, Transport: transport,
	})
	if err != nil {
		return nil, err
	}
	check, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	exists, err := core.BucketExists(check, s.bucket)
	var refused minio.ErrorResponse
	switch {
	case errors.As(err, &refused) && refused.StatusCode < http.StatusInternalServerError && refused.StatusCode != http.StatusTooManyRequests:
		return nil, fmt.Errorf("bucket %s: %w", s.bucket, err)
	case err == nil && !exists:
		return nil, fmt.Errorf("bucket %s does not exist", s.bucket)
	}
	return &S3{core: core, bucket: s.bucket, prefix: s.prefix, puts: make(chan struct{}, maxPuts)}, nil
}

// Close has nothing to close.
func (s *S3) Close() error { return nil }

func (s *S3) key(key string) (string, error) {
	if key == "" || path.Clean("/" + key)[1:] != key {
		return "", fmt.Errorf("%q is no key of an object", key)
	}
	return path.Join(s.prefix, key), nil
}

// partSize is how much of an object is held in memory while it is stored. 10,000 parts make 80 GB.
const partSize = 8 << 20

// maxPuts is how many objects are stored at once, because each holds a part in memory.
const maxPuts = 8

var parts = sync.Pool{New: func() any { b := make([]byte, partSize); return &b }}

// Put sends small objects at once and larger ones in parts; those become visible when all are there.
func (s *S3) Put(ctx context.Context, key string, r io.Reader) (int64, error) {
	name, err := s.key(key)
	if err != nil {
		return 0, err
	}
	all, err := spool.NewDisk(os.TempDir(), 0, 0).Gather("", r, 0) // who sends slowly must not keep a place
	if err != nil {
		return 0, err
	}
	defer all.Close()
	select {
	case s.puts <- struct{}{}:
		defer func() { <-s.puts }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	first := parts.Get().(*[]byte)
	defer parts.Put(first)
	in := &honest{r: all}
	n, err := io.ReadFull(in, *first)
	if in.failed != nil {
		return 0, in.failed
	}
	o := minio.PutObjectOptions{ContentType: "application/octet-stream", PartSize: partSize}
	body, size := io.Reader(bytes.NewReader((*first)[:n])), int64(n) // one that can be sent again
	if err == nil {
		body, size = io.MultiReader(body, in), -1
	}
	done, err := s.core.Client.PutObject(ctx, s.bucket, name, body, size, o)
	if in.failed != nil { // whatever the client made of it, this is not the whole object
		return 0, errors.Join(in.failed, s.Delete(context.WithoutCancel(ctx), key))
	}
	return done.Size, err
}

// honest tells a source that ends early from one that ends: the client takes io.ErrUnexpectedEOF, which cut
// uploads give, for a regular end.
type honest struct {
	r      io.Reader
	failed error
}

func (h *honest) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if err != nil && err != io.EOF {
		h.failed = err
		err = fmt.Errorf("the source of the object failed: %s", err)
	}
	return n, err
}

// Open asks for the object's size; its bytes are read when they are wanted.
func (s *S3) Open(ctx context.Context, key string) (Object, error) {
	name, err := s.key(key)
	if err != nil {
		return nil, err
	}
	info, err := s.core.StatObject(ctx, s.bucket, name, minio.StatObjectOptions{})
	if e := minio.ToErrorResponse(err); e.StatusCode == http.StatusNotFound && e.Code != minio.NoSuchBucket {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &remote{s: s, ctx: ctx, name: name, tag: info.ETag, size: info.Size}, nil
}

// Delete removes an object.
func (s *S3) Delete(ctx context.Context, key string) error {
	name, err := s.key(key)
	if err != nil {
		return err
	}
	err = s.core.RemoveObject(ctx, s.bucket, name, minio.RemoveObjectOptions{})
	if minio.ToErrorResponse(err).StatusCode == http.StatusNotFound {
		return nil
	}
	return err
}

// remote is an open object. Whoever reads on gets one stream; whoever reads here and there gets blocks, of
// which the last one is kept, because archives are read in many small pieces side by side.
type remote struct {
	s    *S3
	ctx  context.Context // of the request that opened it
	name string
	tag  string // an object that is replaced meanwhile is an error, not a mixture
	size int64

	at     int64
	stream io.ReadCloser

	mu    sync.Mutex
	block []byte
	start int64
}

func (o *remote) Size() int64 { return o.size }

// Read goes on where the object was left.
func (o *remote) Read(p []byte) (int, error) {
	if o.at >= o.size {
		return 0, io.EOF
	}
	if o.stream == nil {
		var err error
		if o.stream, err = o.from(o.at, o.size-1); err != nil {
			return 0, err
		}
	}
	n, err := o.stream.Read(p)
	o.at += int64(n)
	if err == io.EOF && o.at < o.size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Seek moves to a place; the stream is opened anew there.
func (o *remote) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += o.size
	}
	if offset < 0 {
		return o.at, errors.New("seek before the beginning of an object")
	}
	if offset != o.at {
		o.closeStream()
	}
	o.at = offset
	return offset, nil
}

const blockSize = 256 << 10

// ReadAt reads small pieces out of the block around them.
func (o *remote) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("read before the beginning of an object")
	}
	want := min(int64(len(p)), o.size-off)
	if want <= 0 {
		return 0, io.EOF
	}
	if err := o.pieces(p[:want], off); err != nil {
		return 0, err
	}
	if want < int64(len(p)) {
		return int(want), io.EOF
	}
	return int(want), nil
}

func (o *remote) pieces(p []byte, off int64) error {
	if len(p) >= blockSize {
		return o.fill(p, off)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(p) > 0 {
		if off < o.start || off >= o.start+int64(len(o.block)) {
			start := off - off%blockSize
			block := make([]byte, min(blockSize, o.size-start))
			if err := o.fill(block, start); err != nil {
				return err
			}
			o.block, o.start = block, start
		}
		n := copy(p, o.block[off-o.start:])
		p, off = p[n:], off+int64(n)
	}
	return nil
}

func (o *remote) fill(p []byte, off int64) error {
	r, err := o.from(off, off+int64(len(p))-1)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.ReadFull(r, p)
	return err
}

func (o *remote) from(first, last int64) (io.ReadCloser, error) {
	opts := minio.GetObjectOptions{}
	if err := opts.SetRange(first, last); err != nil {
		return nil, err
	}
	if err := opts.SetMatchETag(o.tag); err != nil {
		return nil, err
	}
	r, _, _, err := o.s.core.GetObject(o.ctx, o.s.bucket, o.name, opts)
	return r, err
}

func (o *remote) closeStream() {
	if o.stream != nil {
		o.stream.Close()
		o.stream = nil
	}
}

// Close ends the stream.
func (o *remote) Close() error {
	o.closeStream()
	return nil
}
