package harness

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	dto "github.com/prometheus/client_model/go"
)

// Metrics are the figures of one scrape, by name.
type Metrics map[string]*dto.MetricFamily

// Scrape asks the server for its metrics. It has to have an admin listener.
func (s *Server) Scrape() Metrics {
	s.t.Helper()
	return ParseMetrics(s.t, s.Admin("/metrics"))
}

// Admin asks the admin listener for a path, which must answer 200, and returns the answer.
func (s *Server) Admin(path string) io.Reader {
	s.t.Helper()
	response, err := http.Get(s.AdminURL() + path)
	if err != nil {
		s.t.Fatalf("%s: %v", path, err)
	}
	s.t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		s.t.Fatalf("%s answers %s", path, response.Status)
	}
	return response.Body
}

// ParseMetrics reads what a scrape has answered.
func ParseMetrics(t testing.TB, from io.Reader) Metrics {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(from)
	if err != nil {
		t.Fatalf("metrics: %v", err)
	}
	return families
}

// Sum adds up the series of a name that have these labels, given as name, value, name, value: the value of counters and
// gauges, the number of observations of histograms. There may be none.
func (m Metrics) Sum(name string, labels ...string) float64 {
	sum := 0.0
	for _, series := range m[name].GetMetric() {
		if !hasLabels(series, labels) {
			continue
		}
		sum += series.GetCounter().GetValue() + series.GetGauge().GetValue() + float64(series.GetHistogram().GetSampleCount())
	}
	return sum
}

func hasLabels(series *dto.Metric, labels []string) bool {
	for i := 0; i+1 < len(labels); i += 2 {
		found := false
		for _, pair := range series.GetLabel() {
			found = found || pair.GetName() == labels[i] && pair.GetValue() == labels[i+1]
		}
		if !found {
			return false
		}
	}
	return true
}

// Series lists the names of all series of a scrape, those of a histogram's parts among them.
func (m Metrics) Series() map[string]bool {
	names := make(map[string]bool)
	for name, family := range m {
		switch family.GetType() {
		case dto.MetricType_HISTOGRAM, dto.MetricType_SUMMARY:
			for _, part := range []string{"bucket", "sum", "count"} {
				names[fmt.Sprintf("%s_%s", name, part)] = true
			}
		}
		names[name] = true
	}
	return names
}
