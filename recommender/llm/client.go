// Package llm asks a language model, by way of langchaingo, for advice on a forecast.
//
// A Client asks one question and returns either a whole answer or a typed error. An Advisor makes advice of it, within a
// deadline, a number of tries and an hourly budget. A Desk keeps advice and asks for what is missing in the background, so
// that nobody waits for a model.
//
// Nothing here trusts a server or a model: answers are bounded in size and time, have to be finished, follow a schema, and
// are checked again by the package advice.
//
// Ollama is told the size of the context, and to refuse what does not fit. An OpenAI-compatible server is not: it has to be
// started with that size, and one that cuts overlong prompts does so unnoticed. It also names no digest of the model.
package llm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/openai"

	"github.com/loadline-dev/loadline/recommender/advice"
)

// Client asks one model of one server, one question at a time.
type Client struct {
	config  Config
	dialect dialect
	http    *http.Client
	model   llms.Model
	turn    chan struct{} // Holds one token while a question is on its way.
}

// Answer is what the model said, read to its end, and what it took.
type Answer struct {
	// Text is valid JSON. Whether it follows the schema is for its reader to check.
	Text                       []byte
	PromptTokens, AnswerTokens int
	// Model and Digest name what answered. The digest is empty where the server does not tell it.
	Model, Digest string
	// Took counts from the question's turn, without the time it waited for it.
	Took time.Duration
}

// New returns a client. It connects to nothing yet.
func New(c Config) (*Client, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	d := dialectOf(c.API)
	client, err := c.httpClient(d)
	if err != nil {
		return nil, err
	}
	model, err := d.newModel(c, client)
	if err != nil {
		return nil, fmt.Errorf("make the model's client: %w", err)
	}
	return &Client{config: c, dialect: d, http: client, model: model, turn: make(chan struct{}, 1)}, nil
}

// Ask asks one question and waits for its answer, after those that others are asking. The seed is 1 or more: the servers
// take 0 for none. Every error is an *Error.
func (c *Client) Ask(ctx context.Context, q advice.Question, seed int, temperature float64) (Answer, error) {
	if bad := checkQuestion(q, seed); bad != nil {
		return Answer{}, bad
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return Answer{}, fromContext(ctx)
	}
	begin := c.config.Clock.Now()
	digest := ""
	if c.dialect.digests { // For others, the answer is all that they have to give.
		found, err := c.Digest(ctx)
		if err != nil {
			return Answer{}, err
		}
		digest = found
	}
	answer, bad := c.generate(ctx, q, seed, temperature)
	if bad != nil {
		return Answer{}, bad
	}
	answer.Model, answer.Digest, answer.Took = c.config.Model, digest, c.config.Clock.Since(begin)
	return answer, nil
}

// Digest asks the server for the model, and returns its digest as the server has it now: empty where servers of this API tell none,
// and an *Error where the server or the model is not there.
func (c *Client) Digest(ctx context.Context) (string, error) {
	x := &exchange{}
	list, err := c.get(ctx, x)
	switch {
	case x.failed != nil:
		return "", x.failed
	case err != nil:
		return "", &Error{Outcome: BadQuestion, Err: err}
	}
	digest, bad := digestIn(list, c.config.Model)
	if bad != nil {
		return "", bad
	}
	return digest, nil
}

// get returns the server's list of models.
func (c *Client) get(ctx context.Context, x *exchange) ([]byte, error) {
	address, err := c.dialect.listURL(c.config.URL)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(context.WithValue(ctx, exchangeKey{}, x), http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	return io.ReadAll(response.Body)
}

// generate goes through langchaingo. What the transport noted counts before what langchaingo returns, which after a failure
// may be an error without its cause, or an empty answer and no error at all.
func (c *Client) generate(ctx context.Context, q advice.Question, seed int, temperature float64) (Answer, *Error) {
	x := &exchange{schema: q.Schema}
	response, err := c.model.GenerateContent(context.WithValue(ctx, exchangeKey{}, x), []llms.MessageContent{
		llms.TextParts(llms.ChatMessageTypeSystem, q.System),
		llms.TextParts(llms.ChatMessageTypeHuman, string(q.User)),
	},
		llms.WithMaxTokens(q.MaxAnswerTokens),
		llms.WithSeed(seed),
		llms.WithTemperature(temperature),
		llms.WithRepetitionPenalty(1), // None: names and times repeat in a good answer.
		openai.WithLegacyMaxTokensField(),
	)
	switch {
	case x.failed != nil:
		return Answer{}, x.failed
	case ctx.Err() != nil:
		return Answer{}, fromContext(ctx)
	case err != nil:
		return Answer{}, failed(BadAnswer, "langchaingo could not read the response: %w", err)
	case len(response.Choices) != 1:
		return Answer{}, failed(BadAnswer, "%d answers instead of one", len(response.Choices))
	}
	choice := response.Choices[0]
	text := bytes.TrimSpace([]byte(choice.Content))
	if len(text) == 0 {
		return Answer{}, failed(BadAnswer, "the answer is empty")
	}
	if !json.Valid(text) {
		return Answer{}, failed(BadAnswer, "the answer is not JSON")
	}
	prompt, _ := choice.GenerationInfo["PromptTokens"].(int)
	answered, _ := choice.GenerationInfo["CompletionTokens"].(int)
	return Answer{Text: text, PromptTokens: prompt, AnswerTokens: answered}, nil
}

// checkQuestion refuses what a server would misunderstand in silence.
func checkQuestion(q advice.Question, seed int) *Error {
	switch {
	case seed < 1:
		return failed(BadQuestion, "a seed of %d, which must be 1 or more", seed)
	case q.MaxAnswerTokens < 1:
		return failed(BadQuestion, "an answer of at most %d tokens, which must be 1 or more", q.MaxAnswerTokens)
	case !json.Valid(q.Schema) || !bytes.HasPrefix(bytes.TrimSpace(q.Schema), []byte("{")):
		return failed(BadQuestion, "the schema is not a JSON object")
	case len(q.User) == 0:
		return failed(BadQuestion, "nothing is asked")
	}
	return nil
}
