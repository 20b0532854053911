package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/loadline-dev/loadline/e2e/shop"
)

// used asks Prometheus what all pods of the shop together used at most in 99 % of the last 14 days. The rest is left out because
// for some minutes around each rollout the pods of before and after it are counted both.
func (d *demo) used(ctx context.Context) (amounts, error) {
	const query = `quantile_over_time(0.99, sum(%s{namespace="` + shop.Namespace + `"}%s)[14d:10m])`
	cores, err := d.ask(ctx, fmt.Sprintf(query, "rate(container_cpu_usage_seconds_total", "[5m])"))
	if err != nil {
		return amounts{}, err
	}
	bytes, err := d.ask(ctx, fmt.Sprintf(query, "(container_memory_working_set_bytes", ")"))
	return amounts{cores: cores, gib: bytes / (1 << 30)}, err
}

// ask returns the one number that a query gives.
func (d *demo) ask(ctx context.Context, query string) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.cluster.PrometheusURL+"/api/v1/query?query="+url.QueryEscape(query), nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("ask Prometheus: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // read to the end or given up
	var answer struct {
		Error string
		Data  struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return 0, fmt.Errorf("decode Prometheus' answer: %w", err)
	}
	if len(answer.Data.Result) != 1 {
		return 0, fmt.Errorf("ask Prometheus for %s: %d results: %s", query, len(answer.Data.Result), answer.Error)
	}
	return strconv.ParseFloat(fmt.Sprint(answer.Data.Result[0].Value[1]), 64)
}
