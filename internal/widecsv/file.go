package widecsv

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
)

// Stdin is the path that means standard input.
const Stdin = "-"

// Open opens a file, or stdin if the path is "-". What was compressed with gzip is decompressed, whatever the file is called.
func Open(path string, stdin io.Reader) (io.ReadCloser, error) {
	if path == Stdin {
		return decompress(io.NopCloser(stdin))
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err // It names the path and what was attempted.
	}
	r, err := decompress(file)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, errors.Join(err, file.Close()))
	}
	return r, nil
}

// ReadFile opens and reads a table, from stdin if the path is "-".
func ReadFile(path string, stdin io.Reader) (*Table, error) {
	r, err := Open(path, stdin)
	if err != nil {
		return nil, err
	}
	name := path
	if path == Stdin {
		name = "standard input"
	}
	table, err := Read(r, name)
	if closing := r.Close(); err == nil && closing != nil {
		return nil, fmt.Errorf("%s: %w", name, closing)
	}
	return table, err
}

// stream reads what is behind a source, and closes the source.
type stream struct {
	io.Reader
	io.Closer
}

// decompress looks at the first bytes of the source.
func decompress(source io.ReadCloser) (io.ReadCloser, error) {
	buffered := bufio.NewReaderSize(source, 1<<16)
	magic, err := buffered.Peek(2)
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		if err == nil || errors.Is(err, io.EOF) {
			return stream{buffered, source}, nil
		}
		return nil, err
	}
	inner, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	return stream{inner, source}, nil
}

// SkipMark skips the byte order mark that some spreadsheets write.
func SkipMark(r io.Reader) io.Reader {
	buffered := bufio.NewReaderSize(r, 1<<16)
	mark := []byte("\ufeff")
	if start, _ := buffered.Peek(len(mark)); bytes.Equal(start, mark) { // An error comes again with the next read.
		_, _ = buffered.Discard(len(mark)) // These bytes are in the buffer.
	}
	return buffered
}
