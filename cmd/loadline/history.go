package main

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/recommender/history"
)

// newHistoryClient turns the configuration into a client of Prometheus.
func newHistoryClient(cfg config.Prometheus) (history.Querier, error) {
	client, err := history.NewClient(history.ClientOptions{
		URL:             cfg.URL,
		BearerTokenFile: cfg.Auth.BearerTokenFile, User: cfg.Auth.User, PasswordFile: cfg.Auth.PasswordFile,
		CAFile: cfg.TLS.CAFile, CertFile: cfg.TLS.CertFile, KeyFile: cfg.TLS.KeyFile,
		ServerName: cfg.TLS.ServerName, InsecureSkipVerify: cfg.TLS.InsecureSkipVerify,
		Headers: cfg.Headers, MaxResponseBytes: cfg.MaxResponseBytes,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the Prometheus client: %w", err)
	}
	return client, nil
}

// newHistoryReader turns the configuration into a reader of Prometheus' history, whose own metrics the registerer takes; nil
// is none.
func newHistoryReader(cfg config.Prometheus, registerer prometheus.Registerer) (*history.Reader, error) {
	client, err := newHistoryClient(cfg)
	if err != nil {
		return nil, err
	}
	reader, err := history.New(history.Options{
		Querier: client, Queries: history.Queries(cfg.Queries), Labels: history.Labels(cfg.Labels), ExtraMatchers: cfg.ExtraMatchers,
		RateWindow: cfg.RateWindow.Duration, Backfill: time.Duration(cfg.BackfillDays) * 24 * time.Hour, Chunk: cfg.Chunk.Duration, Overlap: cfg.Overlap.Duration,
		Timeout: cfg.Timeout.Duration, ParallelQueries: cfg.ParallelQueries, Registerer: registerer,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the history reader: %w", err)
	}
	return reader, nil
}
