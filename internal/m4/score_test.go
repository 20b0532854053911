package m4

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var exactly = cmpopts.EquateApprox(0, 1e-12)

// stairs is a day at 10 and a day at 12: from hour to the same hour of the day before, it moves by 2.
func stairs() []float64 {
	values := make([]float64, 48)
	for i := range values {
		values[i] = 10
		if i >= 24 {
			values[i] = 12
		}
	}
	return values
}

func TestErrorsAreScaledByTheMoveFromDayToDay(t *testing.T) {
	if got := Scale(stairs()); got != 2 {
		t.Errorf("the scale is %g, want 2", got)
	}
	if got := Scale(stairs()[:24]); !math.IsNaN(got) {
		t.Errorf("one season has the scale %g, want none", got)
	}
}

func TestPointForecastIsScoredAsTheCompetitionDid(t *testing.T) {
	c := Case{Past: stairs(), Future: []float64{10, 30, 0, 5}}
	// |y−f| = 0, 10, 0, 5; 200·|y−f|/(|y|+|f|) = 0, 40, 0 (as 0/0), 200; mean |y−f| = 3.75, scale 2.
	got := c.Rate([]float64{10, 20, 0, 0})
	if diff := cmp.Diff(Score{SMAPE: 60, MASE: 1.875}, got, exactly); diff != "" {
		t.Errorf("(-by hand +got):\n%s", diff)
	}
}

func TestOWAOfNaive2IsOneAndOfThePublishedSeasonalNaiveAsPublished(t *testing.T) {
	if got := (Score{SMAPE: 18.383, MASE: 2.395}).OWA(); got != 1 {
		t.Errorf("OWA of Naive2 is %g", got)
	}
	// ½·(13.912/18.383 + 1.193/2.395) = ½·(0.75679 + 0.49812)
	if got := (Score{SMAPE: 13.912, MASE: 1.193}).OWA(); math.Abs(got-0.62745) > 0.00001 {
		t.Errorf("OWA of the seasonal naive is %g, want 0.62745", got)
	}
}

func TestIntervalPaysForItsWidthAndForWhatItMissed(t *testing.T) {
	c := Case{Past: stairs(), Future: []float64{10, 10, 10, 10}}
	// Inside, on the bound, 1 above and 2 below; widths 4, 4, 2, 1; penalty 2/0.05 = 40 per unit outside.
	// (4 + 4 + 2+40 + 1+80) / 4 = 32.75, scale 2.
	got := c.RateInterval([]float64{8, 6, 7, 12}, []float64{12, 10, 9, 13}, 0.05)
	if diff := cmp.Diff(IntervalScore{Coverage: 0.5, MSIS: 16.375}, got, exactly); diff != "" {
		t.Errorf("(-by hand +got):\n%s", diff)
	}
}
