package trace

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"

	"github.com/redis/go-redis/v9"

	"signalbox/internal/blob"
	"signalbox/internal/fault"
)

// Redis keeps live logs in Redis, which several nodes share. Redis may lose them: the runner keeps its whole
// log until the final answer, and sends again what is missing. That answer is given once the log lies in the
// blob store.
type Redis struct {
	archive
	client redis.UniversalClient
}

// NewRedis makes the store. The client stays the caller's.
func NewRedis(client redis.UniversalClient, blobs blob.Store) *Redis {
	return &Redis{archive{blobs}, client}
}

// Close has nothing to close.
func (s *Redis) Close() error { return nil }

func liveKey(jobID int64) string { return "signalbox:trace:" + strconv.FormatInt(jobID, 10) }

func asideKey(jobID int64) string { return liveKey(jobID) + ":rejected" }

// lost says that Redis did not answer. Runners and people try again.
func lost(err error) error {
	if err == nil {
		return nil
	}
	return fault.Refused(fault.Unavailable, "the store of live logs cannot be reached; try again").Because(err)
}

// appendScript adds bytes if they start where the log ends; it answers the size, or -1 and the size, or -2
// and the size over the limit.
var appendScript = redis.NewScript(`
local size = redis.call('STRLEN', KEYS[1])
if size ~= tonumber(ARGV[1]) then return {-1, size} end
if size + #ARGV[2] > tonumber(ARGV[3]) then return {-2, size} end
return {0, redis.call('APPEND', KEYS[1], ARGV[2])}`)

// Append adds in one step, so that two nodes cannot both add at the same place.
func (s *Redis) Append(ctx context.Context, jobID, start int64, data []byte, limit int64) (int64, error) {
	out, err := appendScript.Run(ctx, s.client, []string{liveKey(jobID)}, start, data, limit).Int64Slice()
	if err != nil {
		return 0, lost(err)
	}
	switch out[0] {
	case -1:
		return out[1], &RangeError{Size: out[1]}
	case -2:
		return out[1], ErrTooLarge
	}
	return out[1], nil
}

// Size asks the blob store if Redis has nothing: the log may be durable already.
func (s *Redis) Size(ctx context.Context, jobID int64) (int64, error) {
	n, err := s.client.StrLen(ctx, liveKey(jobID)).Result()
	if err != nil {
		return 0, lost(err)
	}
	if n == 0 {
		return s.size(ctx, jobID)
	}
	return n, nil
}

// Verify reads the whole log once, and stores it where it is durable.
func (s *Redis) Verify(ctx context.Context, jobID int64, size *int64, sum *uint32) error {
	r, err := s.live(ctx, liveKey(jobID))
	if err != nil {
		return err
	}
	if r.Size() == 0 {
		done, err := s.verified(ctx, jobID, size, sum)
		if done || err != nil {
			return err
		}
	}
	crc := crc32.NewIEEE()
	if _, err := io.Copy(crc, r); err != nil {
		return err
	}
	if size != nil && *size != r.Size() || sum != nil && *sum != crc.Sum32() {
		return fmt.Errorf("%w: %d bytes, crc32 %08x", ErrMismatch, r.Size(), crc.Sum32())
	}
	if r.Size() == 0 {
		return nil
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err = s.put(ctx, jobID, r)
	return err
}

// verified says whether the log was stored by an earlier try of the same answer.
func (s *Redis) verified(ctx context.Context, jobID int64, size *int64, sum *uint32) (bool, error) {
	o, err := s.blobs.Open(ctx, BlobKey(jobID))
	if errors.Is(err, blob.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer o.Close()
	crc := crc32.NewIEEE()
	if _, err := io.Copy(crc, o); err != nil {
		return false, err
	}
	return (size == nil || *size == o.Size()) && (sum == nil || *sum == crc.Sum32()), nil
}

// Restart renames the key.
func (s *Redis) Restart(ctx context.Context, jobID int64) error {
	err := s.client.Rename(ctx, liveKey(jobID), asideKey(jobID)).Err()
	if err != nil && err.Error() == "ERR no such key" {
		return nil
	}
	return lost(err)
}

// Archive stores the longer of the log and what was set aside, unless it is stored already.
func (s *Redis) Archive(ctx context.Context, jobID int64) (int64, error) {
	r, err := s.live(ctx, liveKey(jobID))
	if err != nil {
		return 0, err
	}
	old, err := s.live(ctx, asideKey(jobID))
	if err != nil {
		return 0, err
	}
	if old.Size() > r.Size() {
		r = old
	}
	stored, err := s.size(ctx, jobID)
	if err != nil {
		return 0, err
	}
	size := stored
	if r.Size() > 0 && r.Size() != stored {
		if size, err = s.put(ctx, jobID, r); err != nil {
			return 0, err
		}
	}
	return size, errors.Join(lost(s.client.Del(ctx, liveKey(jobID), asideKey(jobID)).Err()), s.addIndex(ctx, jobID))
}

// Delete removes keys and blob.
func (s *Redis) Delete(ctx context.Context, jobID int64) error {
	return errors.Join(lost(s.client.Del(ctx, liveKey(jobID), asideKey(jobID)).Err()), s.remove(ctx, jobID))
}

// Open reads the live log if there is one, else the blob. If Redis is lost, what is stored is still read.
func (s *Redis) Open(ctx context.Context, jobID int64) (Reader, error) {
	r, err := s.live(ctx, liveKey(jobID))
	if err == nil && r.Size() > 0 {
		return r, nil
	}
	stored, storedErr := s.open(ctx, jobID)
	if err != nil && storedErr == nil && stored.Size() == 0 {
		stored.Close()
		return nil, err
	}
	return stored, storedErr
}

func (s *Redis) live(ctx context.Context, key string) (*section, error) {
	n, err := s.client.StrLen(ctx, key).Result()
	if err != nil {
		return nil, lost(err)
	}
	return &section{io.NewSectionReader(&ranges{ctx, s.client, key}, 0, n), io.NopCloser(nil)}, nil
}

// ranges reads pieces of a key.
type ranges struct {
	ctx    context.Context // of the request that reads
	client redis.UniversalClient
	key    string
}

// ReadAt reads one piece. A key that is gone meanwhile ends the log.
func (r *ranges) ReadAt(p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := r.client.GetRange(r.ctx, r.key, off, off+int64(len(p))-1).Bytes()
	if err != nil && !errors.Is(err, redis.Nil) {
		return 0, lost(err)
	}
	n := copy(p, b)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
