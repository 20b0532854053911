// Command writehistory reads series from standard input and writes them as
// Prometheus blocks. The package history of the e2e module is its client.
package main

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	dir := flag.String("dir", "", "Prometheus data directory, created if missing")
	flag.Parse()
	if err := run(context.Background(), *dir, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, in io.Reader) error {
	if dir == "" {
		return errors.New("-dir is missing")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create the data directory: %w", err)
	}
	b := newBlocks(dir, time.Now())
	defer b.close()
	dec := gob.NewDecoder(bufio.NewReaderSize(in, 1<<20))
	for {
		var s series
		err := dec.Decode(&s)
		if errors.Is(err, io.EOF) {
			return b.flush(ctx)
		}
		if err != nil {
			return fmt.Errorf("read a series: %w", err)
		}
		if err := b.add(ctx, s); err != nil {
			return fmt.Errorf("series %v: %w", s.Labels, err)
		}
	}
}
