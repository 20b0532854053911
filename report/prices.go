package report

import (
	"errors"
	"fmt"
	"math"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// HoursPerMonth is a twelfth of the 8,760 hours of a year.
const HoursPerMonth = 730

const gibibyte = 1 << 30

// Prices turn what is reserved into money. The zero value says nothing of money.
type Prices struct {
	// Currency of all prices, such as USD.
	Currency string `json:"currency"`
	// Source says where the prices come from and of when they are.
	Source string `json:"source"`
	// CoreHour is the price of one core for one hour, and GiBHour that of one GiB of memory, on nodes that no entry of
	// Nodes names.
	CoreHour float64 `json:"coreHour"`
	GiBHour  float64 `json:"gibHour"`
	// Nodes have other prices. The first entry whose labels a node has counts.
	Nodes []NodePrices `json:"nodes,omitempty"`
}

// NodePrices are the prices on the nodes that have all the labels.
type NodePrices struct {
	Labels   map[string]string `json:"labels"`
	CoreHour float64           `json:"coreHour"`
	GiBHour  float64           `json:"gibHour"`
}

// DefaultPrices are public on-demand prices in dollars: those that OpenCost assumes where it knows no others, which are Google
// Cloud's for us-central1.
func DefaultPrices() Prices {
	return Prices{
		Currency: "USD",
		Source:   "OpenCost's default prices, which are Google Cloud's on-demand prices in us-central1, as of November 2026",
		CoreHour: 0.031611, GiBHour: 0.004237,
	}
}

// ParsePrices reads a file of prices, as YAML or JSON. An unknown field, a price that is no positive number, and prices without
// a currency are errors that name what is wrong.
func ParsePrices(text []byte) (Prices, error) {
	var p Prices
	if err := yaml.UnmarshalStrict(text, &p); err != nil {
		return Prices{}, fmt.Errorf("read prices: %w", err)
	}
	var problems []error
	if p.Currency == "" {
		problems = append(problems, errors.New("currency: legal is the name of a currency, such as USD"))
	}
	if p.Source == "" {
		problems = append(problems, errors.New("source: legal is a sentence that says where the prices come from and of when they are"))
	}
	problems = append(problems, positive("coreHour", p.CoreHour), positive("gibHour", p.GiBHour))
	for i, n := range p.Nodes {
		at := fmt.Sprintf("nodes[%d].", i)
		if len(n.Labels) == 0 {
			problems = append(problems, fmt.Errorf("%slabels: legal is at least one label of the nodes meant", at))
		}
		problems = append(problems, positive(at+"coreHour", n.CoreHour), positive(at+"gibHour", n.GiBHour))
	}
	return p, errors.Join(problems...)
}

func positive(field string, price float64) error {
	if price > 0 && !math.IsInf(price, 0) {
		return nil
	}
	return fmt.Errorf("%s is %v: legal is a price per hour over 0", field, price)
}

// of returns the prices of a core and of a GiB on a node.
func (p Prices) of(node *corev1.Node) (coreHour, gibHour float64) {
	for _, n := range p.Nodes {
		if labels.SelectorFromSet(n.Labels).Matches(labels.Set(node.Labels)) {
			return n.CoreHour, n.GiBHour
		}
	}
	return p.CoreHour, p.GiBHour
}

// over returns the prices with those of a core and of a GiB averaged over what the nodes have: a workload may run on any of
// them. Without nodes nothing is averaged.
func (p Prices) over(nodes []corev1.Node) Prices {
	var cores, gibs, coreMoney, gibMoney float64
	for i := range nodes {
		coreHour, gibHour := p.of(&nodes[i])
		has := nodes[i].Status.Allocatable
		cores += has.Cpu().AsApproximateFloat64()
		gibs += has.Memory().AsApproximateFloat64() / gibibyte
		coreMoney += coreHour * has.Cpu().AsApproximateFloat64()
		gibMoney += gibHour * has.Memory().AsApproximateFloat64() / gibibyte
	}
	if len(p.Nodes) > 0 && cores > 0 && gibs > 0 {
		p.CoreHour, p.GiBHour = coreMoney/cores, gibMoney/gibs
	}
	return p
}

// perMonth is what so many cores and bytes cost in a month.
func (p Prices) perMonth(cores, bytes float64) float64 {
	return HoursPerMonth * (p.CoreHour*cores + p.GiBHour*bytes/gibibyte)
}

// Saves returns what savings are worth in a month, to the cent; nil where prices or savings are not known.
func (p Prices) Saves(s *v1alpha1.Savings) *float64 {
	if p.Currency == "" {
		return nil
	}
	return saved(&p, s)
}

// saved is what savings are worth in a month, to the cent; nil without prices or savings.
func saved(p *Prices, s *v1alpha1.Savings) *float64 {
	if p == nil || s == nil {
		return nil
	}
	return new(cents(p.perMonth(s.CPU.AsApproximateFloat64(), s.Memory.AsApproximateFloat64())))
}

// cents rounds to two digits, and never to minus zero.
func cents(v float64) float64 { return math.Round(v*100)/100 + 0 }
