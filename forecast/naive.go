package forecast

// SeasonalNaive predicts that each step repeats the one a period before: ŷ(n+h) = y(n+h−k·period) with the smallest k
// that reaches back into the history.
//
// It needs one whole period. Constant history gives that constant.
type SeasonalNaive struct {
	Label string
	// Period in steps.
	Period int
}

// Name returns the label.
func (m SeasonalNaive) Name() string { return m.Label }

// MinLen is one period.
func (m SeasonalNaive) MinLen() int { return m.Period }

// Predict repeats the last period.
func (m SeasonalNaive) Predict(history []float64, steps int) []float64 {
	last := history[len(history)-m.Period:]
	result := make([]float64, steps)
	for h := range result {
		result[h] = last[h%m.Period]
	}
	return result
}
