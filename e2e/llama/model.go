// Package llama runs a real Ollama server for the scenarios, with a model that is
// real in everything but what it says.
//
// The model has the architecture and the tokenizer of Llama 3, a few hundred
// kilobytes of random numbers, and no sense. That makes it fast, and the worst
// adversary there is: under a schema it answers anything that the schema allows.
// What it cannot show is how well a trained model answers.
package llama

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// The shape of the model: two layers of a small Llama.
const (
	layers        = 2
	width         = 64
	heads         = 4
	keyHeads      = 2
	headWidth     = width / heads
	feedForward   = 160
	contextLength = 8192
)

// Template is the conversation in Llama 3's form, in Ollama's template language.
const Template = "{{ range .Messages }}" + startHeader + "{{ .Role }}" + endHeader + "\n\n{{ .Content }}" + endOfTurn +
	"{{ end }}" + startHeader + "assistant" + endHeader + "\n\n"

// Model returns the GGUF file of a random Llama. Same seed, same bytes.
func Model(seed uint64) ([]byte, error) {
	t := newTokenizer()
	return encode(properties(t), tensors(len(t.tokens), rand.New(rand.NewPCG(seed, 0))))
}

func properties(t tokenizer) []value {
	return []value{
		{"general.architecture", "llama"},
		{"general.type", "model"},
		{"general.name", "tiny random Llama"},
		{"general.file_type", uint32(ggufFloat32)},
		{"general.quantization_version", uint32(2)},
		{"llama.block_count", uint32(layers)},
		{"llama.context_length", uint32(contextLength)},
		{"llama.embedding_length", uint32(width)},
		{"llama.feed_forward_length", uint32(feedForward)},
		{"llama.vocab_size", uint32(len(t.tokens))},
		{"llama.attention.head_count", uint32(heads)},
		{"llama.attention.head_count_kv", uint32(keyHeads)},
		{"llama.attention.layer_norm_rms_epsilon", float32(1e-5)},
		{"llama.rope.freq_base", float32(500_000)},
		{"llama.rope.dimension_count", uint32(headWidth)},
		{"tokenizer.ggml.model", "gpt2"},
		{"tokenizer.ggml.pre", "llama-bpe"},
		{"tokenizer.ggml.tokens", t.tokens},
		{"tokenizer.ggml.token_type", t.types},
		{"tokenizer.ggml.merges", t.merges},
		{"tokenizer.ggml.bos_token_id", t.id(beginOfText)},
		{"tokenizer.ggml.eos_token_id", t.id(endOfTurn)},
	}
}

// tensors draws the weights so that the numbers keep their scale from layer to
// layer, and so that the output prefers some tokens clearly.
func tensors(vocabulary int, r *rand.Rand) []tensor {
	var all []tensor
	random := func(name string, in, out int, deviation float64) {
		data := make([]float32, in*out)
		for i := range data {
			data[i] = float32(deviation * r.NormFloat64())
		}
		all = append(all, tensor{name + ".weight", in, out, data})
	}
	layer := func(name string, in, out int) { random(name, in, out, 1/math.Sqrt(float64(in))) }
	norm := func(name string) {
		data := make([]float32, width)
		for i := range data {
			data[i] = 1
		}
		all = append(all, tensor{name + ".weight", width, 0, data})
	}
	random("token_embd", width, vocabulary, 1)
	for i := range layers {
		block := fmt.Sprintf("blk.%d.", i)
		norm(block + "attn_norm")
		layer(block+"attn_q", width, width)
		layer(block+"attn_k", width, keyHeads*headWidth)
		layer(block+"attn_v", width, keyHeads*headWidth)
		layer(block+"attn_output", width, width)
		norm(block + "ffn_norm")
		layer(block+"ffn_gate", width, feedForward)
		layer(block+"ffn_up", width, feedForward)
		layer(block+"ffn_down", feedForward, width)
	}
	norm("output_norm")
	random("output", width, vocabulary, 2/math.Sqrt(width))
	return all
}
