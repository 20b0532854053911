package install

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Metrics are a part's own metrics at one moment.
type Metrics map[string]*dto.MetricFamily

// MetricsAddress is where a running part serves its metrics, as host:port.
func (in *Installation) MetricsAddress(part string) string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.metrics[part]
}

// MetricsText reads the metrics of a running part, as Prometheus does.
func (in *Installation) MetricsText(ctx context.Context, part string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+in.MetricsAddress(part)+"/metrics", nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("read metrics of the %s: %w", part, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

// Metrics reads the metrics of a running part.
func (in *Installation) Metrics(ctx context.Context, part string) (Metrics, error) {
	text, err := in.MetricsText(ctx, part)
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("parse metrics of the %s: %w", part, err)
	}
	return families, nil
}

// Sum adds up a counter or gauge over all its labels; 0 if there is none.
func (m Metrics) Sum(name string) float64 {
	sum := 0.0
	for _, metric := range m[name].GetMetric() {
		sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
	}
	return sum
}

// SumExcept adds up a counter or gauge over all series whose label has another value than the given one; 0 if there is none.
func (m Metrics) SumExcept(name, label, value string) float64 {
	sum := 0.0
	for _, metric := range m[name].GetMetric() {
		excepted := slices.ContainsFunc(metric.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName() == label && l.GetValue() == value })
		if !excepted {
			sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return sum
}

// Count returns how many observations a histogram has over all its labels; 0 if there is none.
func (m Metrics) Count(name string) float64 {
	var count uint64
	for _, metric := range m[name].GetMetric() {
		count += metric.GetHistogram().GetSampleCount()
	}
	return float64(count)
}
