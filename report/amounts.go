package report

import (
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/loadline-dev/loadline/api/v1alpha1"
)

// RowOf makes the row of one Recommendation, which says nothing of money.
func RowOf(rec *v1alpha1.Recommendation) Row { return rowOf(rec) }

// CPU renders CPU as Kubernetes writes it, such as 250m.
func CPU(q *resource.Quantity) string { return cores(q) }

// Cores renders CPU over several pods in cores with at most two digits after the point, such as 6.21.
func Cores(cores float64) string { return trimZeros(cores) }

// Memory renders memory in the unit that people write, such as 512Mi or 1.25Gi.
func Memory(q *resource.Quantity) string { return gibibytes(q) }
