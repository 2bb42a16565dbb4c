package trace

import (
	"bytes"
	"io"
)

// Stride is how many lines lie between two places of an index.
const Stride = 1000

// indexedSize is the size from which on a log is stored with its index. Smaller ones are read at once.
const indexedSize = 1 << 20

// Index says where the lines of a log begin, so that a part of a large one is found without reading it whole.
type Index struct {
	Size  int64 `json:"size"`  // bytes of the log that it describes
	Lines int   `json:"lines"` // a last line without newline is one too
	// Starts are the offsets of the lines 1, Stride+1, 2*Stride+1 and so on.
	Starts []int64 `json:"starts"`
}

// NewIndex reads a log once.
func NewIndex(r io.Reader) (Index, error) {
	i := Index{Starts: []int64{0}}
	buf := make([]byte, 256<<10)
	last := byte('\n')
	for {
		n, err := r.Read(buf)
		if n > 0 {
			i.add(buf[:n])
			last = buf[n-1]
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return i, err
		}
	}
	if last != '\n' {
		i.Lines++
	}
	return i, nil
}

func (i *Index) add(chunk []byte) {
	count := bytes.Count(chunk, []byte{'\n'})
	if (i.Lines+count)/Stride == i.Lines/Stride {
		i.Lines += count
		i.Size += int64(len(chunk))
		return
	}
	for at := 0; ; {
		next := bytes.IndexByte(chunk[at:], '\n')
		if next < 0 {
			break
		}
		at += next + 1
		if i.Lines++; i.Lines%Stride == 0 {
			i.Starts = append(i.Starts, i.Size+int64(at))
		}
	}
	i.Size += int64(len(chunk))
}

// sound says whether an index that was stored can be one.
func (i Index) sound() bool {
	return len(i.Starts) > 0 && i.Starts[0] == 0 && len(i.Starts) <= i.Lines/Stride+1
}

// Before is a line whose place is known, at or before the given one (counted from 1), and where it begins.
func (i Index) Before(line int) (known int, offset int64) {
	at := min(max(line-1, 0)/Stride, len(i.Starts)-1)
	return at*Stride + 1, i.Starts[at]
}
