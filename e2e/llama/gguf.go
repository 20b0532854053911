package llama

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// A GGUF file, version 3, is little-endian throughout:
//
//	"GGUF"  u32 version  u64 number of tensors  u64 number of values
//	values:  string name, u32 type, the value
//	tensors: string name, u32 number of dimensions, u64 dimensions (the one that is contiguous first),
//	         u32 type of the numbers, u64 offset into the data
//	padding to 32 bytes
//	data, each tensor at a multiple of 32 bytes
//
// A string is a u64 length and its bytes; an array is the u32 type of its
// elements, a u64 length and the elements.
const (
	ggufMagic     = "GGUF"
	ggufVersion   = 3
	ggufAlignment = 32
	ggufFloat32   = 0 // the type of a tensor's numbers
)

// Types of values in a GGUF file.
const (
	ggufUint32Value  = 4
	ggufInt32Value   = 5
	ggufFloat32Value = 6
	ggufStringValue  = 8
	ggufArrayValue   = 9
)

// value is one named property in a GGUF file: a uint32, float32, string,
// []string or []int32.
type value struct {
	name string
	data any
}

// tensor is a matrix of in columns, which are contiguous, and out rows; a vector
// has no rows.
type tensor struct {
	name    string
	in, out int
	data    []float32
}

func (t tensor) dimensions() []uint64 {
	if t.out == 0 {
		return []uint64{uint64(t.in)}
	}
	return []uint64{uint64(t.in), uint64(t.out)}
}

// encode writes a GGUF file. Same input, same bytes.
func encode(values []value, tensors []tensor) ([]byte, error) {
	f := &file{}
	f.WriteString(ggufMagic)
	f.number(uint32(ggufVersion))
	f.number(uint64(len(tensors)))
	f.number(uint64(len(values)))
	for _, v := range values {
		f.text(v.name)
		if err := f.value(v.data); err != nil {
			return nil, fmt.Errorf("write %s: %w", v.name, err)
		}
	}
	offset := 0
	for _, t := range tensors {
		f.text(t.name)
		dimensions := t.dimensions()
		f.number(uint32(len(dimensions)))
		for _, d := range dimensions {
			f.number(d)
		}
		f.number(uint32(ggufFloat32))
		f.number(uint64(offset))
		offset = aligned(offset + 4*len(t.data))
	}
	for _, t := range tensors {
		f.pad()
		for _, x := range t.data {
			f.number(math.Float32bits(x))
		}
	}
	f.pad()
	return f.Bytes(), nil
}

func aligned(n int) int { return (n + ggufAlignment - 1) / ggufAlignment * ggufAlignment }

// file is a GGUF file as far as it is written.
type file struct{ bytes.Buffer }

func (f *file) number(n any) {
	switch n := n.(type) {
	case uint32:
		f.Write(binary.LittleEndian.AppendUint32(f.AvailableBuffer(), n))
	case uint64:
		f.Write(binary.LittleEndian.AppendUint64(f.AvailableBuffer(), n))
	}
}

func (f *file) text(s string) {
	f.number(uint64(len(s)))
	f.WriteString(s)
}

func (f *file) pad() { f.Write(make([]byte, aligned(f.Len())-f.Len())) }

func (f *file) value(data any) error {
	switch data := data.(type) {
	case uint32:
		f.number(uint32(ggufUint32Value))
		f.number(data)
	case float32:
		f.number(uint32(ggufFloat32Value))
		f.number(math.Float32bits(data))
	case string:
		f.number(uint32(ggufStringValue))
		f.text(data)
	case []string:
		f.array(ggufStringValue, len(data))
		for _, s := range data {
			f.text(s)
		}
	case []int32:
		f.array(ggufInt32Value, len(data))
		for _, n := range data {
			f.number(uint32(n))
		}
	default:
		return fmt.Errorf("a %T has no place in a GGUF file", data)
	}
	return nil
}

func (f *file) array(elements uint32, length int) {
	f.number(uint32(ggufArrayValue))
	f.number(elements)
	f.number(uint64(length))
}
