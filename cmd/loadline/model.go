package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/recommender"
	"github.com/loadline-dev/loadline/recommender/advice"
	"github.com/loadline-dev/loadline/recommender/llm"
)

// newModelClient turns the configuration into a client of a model's server. It connects to nothing yet.
func newModelClient(cfg config.Advisor) (*llm.Client, error) {
	client, err := llm.New(llm.Config{
		URL: cfg.URL, API: llm.API(cfg.API), Model: cfg.Model, ContextTokens: cfg.ContextTokens, Threads: cfg.Threads,
		KeepAlive: cfg.KeepAlive.Duration, MaxAnswerBytes: cfg.MaxResponseBytes, BearerTokenFile: cfg.BearerTokenFile, Headers: cfg.Headers,
		CAFile: cfg.TLS.CAFile, ServerName: cfg.TLS.ServerName, InsecureSkipVerify: cfg.TLS.InsecureSkipVerify,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the model's client: %w", err)
	}
	return client, nil
}

// newModelAdvisor turns the configuration into an advisor, whose metrics may be nil.
func newModelAdvisor(cfg config.Advisor, metrics *llm.Metrics) (*llm.Advisor, error) {
	client, err := newModelClient(cfg)
	if err != nil {
		return nil, err
	}
	advisor, err := llm.NewAdvisor(client, llm.Options{
		Deadline: cfg.Deadline.Duration, Tries: cfg.Tries, AnswerTokens: cfg.AnswerTokens, QuestionsPerHour: cfg.QuestionsPerHour, Metrics: metrics,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the advisor: %w", err)
	}
	return advisor, nil
}

// newDesk returns what makes the recommender's advisor, or nil where no model is configured.
func newDesk(cfg config.Advisor, registerer prometheus.Registerer) (func(notify func(key string)) recommender.Advisor, error) {
	if cfg.URL == "" {
		return nil, nil
	}
	metrics, err := llm.NewMetrics(registerer)
	if err != nil {
		return nil, err
	}
	advisor, err := newModelAdvisor(cfg, metrics)
	if err != nil {
		return nil, err
	}
	return func(notify func(key string)) recommender.Advisor {
		return llm.NewDesk(llm.DeskOptions{Adviser: advisor, Notify: notify, AskAgain: askAgain, Metrics: metrics})
	}, nil
}

// askAgain is how long a model is left alone on a question that failed for the moment: some visits to the workload.
const askAgain = 15 * time.Minute

// modelFlags say which model a command asks. What no flag says is as in the operator's configuration.
type modelFlags struct {
	configFile         string
	url, model, api    string
	caFile, tokenFile  string
	context, answer    int
	threads            int
	timeout            time.Duration
	insecureSkipVerify bool
}

func (f *modelFlags) bind(cmd *cobra.Command) {
	set := cmd.Flags()
	set.StringVar(&f.configFile, "config", "", "operator configuration file, whose advisor section the other flags change")
	set.StringVar(&f.url, "url", "", "server of the model, such as http://127.0.0.1:11434")
	set.StringVar(&f.model, "model", "", "name of the model on the server")
	set.StringVar(&f.api, "api", "", "protocol of the server: ollama or openai")
	set.StringVar(&f.tokenFile, "bearer-token-file", "", "file with the token that the server wants")
	set.StringVar(&f.caFile, "ca-file", "", "PEM file with the authorities that verify the server")
	set.BoolVar(&f.insecureSkipVerify, "insecure-skip-server-verify", false, "trust any server; for trials only")
	set.IntVar(&f.context, "context-tokens", 0, "context of the model in tokens")
	set.IntVar(&f.answer, "answer-tokens", 0, "tokens of the context that are kept for an answer")
	set.IntVar(&f.threads, "threads", 0, "threads of the server per question; Ollama only")
	set.DurationVar(&f.timeout, "timeout", 0, "how long one piece of advice, with all its tries, may take")
}

// settings returns the advisor's configuration with the flags in it, or a usage error.
func (f *modelFlags) settings() (config.Advisor, error) {
	cfg, err := loadConfig(f.configFile)
	if err != nil {
		return config.Advisor{}, err
	}
	a := &cfg.Advisor
	set(&a.URL, f.url)
	set(&a.Model, f.model)
	set(&a.API, config.AdvisorAPI(f.api))
	set(&a.BearerTokenFile, f.tokenFile)
	set(&a.TLS.CAFile, f.caFile)
	set(&a.TLS.InsecureSkipVerify, f.insecureSkipVerify)
	set(&a.ContextTokens, f.context)
	set(&a.AnswerTokens, f.answer)
	set(&a.Threads, f.threads)
	set(&a.Deadline.Duration, f.timeout)
	if a.URL == "" {
		return config.Advisor{}, usageError("no model is named: give --url, or --config with advisor.url")
	}
	if wrong := config.Validate(&cfg).ToAggregate(); wrong != nil {
		return config.Advisor{}, codedError{error: wrong, code: exitUsage}
	}
	return *a, nil
}

// set overwrites a value with one that is given.
func set[T comparable](into *T, given T) {
	var none T
	if given != none {
		*into = given
	}
}

// asking asks a model a single question for a command.
type asking struct {
	cfg    config.Advisor
	client *llm.Client
}

func (f *modelFlags) asking() (asking, error) {
	cfg, err := f.settings()
	if err != nil {
		return asking{}, err
	}
	client, err := newModelClient(cfg)
	return asking{cfg: cfg, client: client}, err
}

func (a asking) budget() advice.Budget {
	return advice.Budget{ContextTokens: a.cfg.ContextTokens, AnswerTokens: a.cfg.AnswerTokens}
}

// until asks until parse accepts an answer, each time a little warmer, because at temperature 0 the same question has the same
// answer.
func (a asking) until(ctx context.Context, q advice.Question, parse func(answer []byte) error) error {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Deadline.Duration)
	defer cancel()
	var refused []error
	for try := range a.cfg.Tries {
		answer, err := a.client.Ask(ctx, q, 1+try, 0.2*float64(try))
		if err == nil {
			if err = parse(answer.Text); err == nil {
				return nil
			}
			err = fmt.Errorf("answer %d is not usable: %w", try+1, err)
		} else if llm.OutcomeOf(err) != llm.BadAnswer {
			return fmt.Errorf("ask %s at %s: %w", a.cfg.Model, a.cfg.URL, err)
		}
		refused = append(refused, err)
	}
	return fmt.Errorf("%s at %s gave no usable answer: %w", a.cfg.Model, a.cfg.URL, errors.Join(refused...))
}
