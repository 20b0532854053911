package guard

// onlyConfirmed keeps apart what may be applied and what may only be shown. If anything may be applied, what may not is left
// out; else everything is shown and nothing is applied.
//
// Example: a side-car that was added today beside an application with weeks of history is left out until tomorrow.
func onlyConfirmed(d *draft) {
	confirmed := false
	d.each(func(_ *size, a *amount) {
		confirmed = confirmed || (a.target > 0 && a.unready == "")
	})
	if !confirmed {
		return
	}
	d.each(func(_ *size, a *amount) {
		if a.unready != "" {
			d.drop(a, a.unready, "other sizes of the workload are ready and this one is not yet")
		}
	})
}

// unready returns the rule that lets the candidate be shown only; empty if it may be applied.
func (d *draft) unready() string {
	rule := ""
	d.each(func(_ *size, a *amount) {
		if a.target > 0 && a.unready != "" {
			rule = a.unready
		}
	})
	return rule
}
