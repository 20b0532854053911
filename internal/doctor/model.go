package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/recommender/llm"
)

// model looks whether the language model is there, where one is configured.
func (e examiner) model(ctx context.Context) []Finding {
	const check = "model"
	a := e.Config.Advisor
	if e.Model == nil {
		return []Finding{{Check: check, Severity: OK, What: "none is configured: typed events and rules decide alone"}}
	}
	err := e.Model(ctx)
	if err == nil {
		return []Finding{{Check: check, Severity: OK, What: "the server has " + a.Model, Where: a.URL}}
	}
	f := Finding{Check: check, Severity: Warning, What: fmt.Sprintf("%s cannot be asked: %v", a.Model, err), Where: a.URL}
	f.Fix = "curl --fail --show-error " + a.URL + "/api/tags"
	if a.API == config.AdvisorOpenAI {
		f.Fix = "curl --fail --show-error " + strings.TrimSuffix(a.URL, "/") + "/models"
	}
	switch outcome := llm.OutcomeOf(err); {
	case errors.Is(err, fs.ErrNotExist):
		f.Severity, f.What, f.Fix = Unseen, elsewhere(err), e.inside()
	case outcome == llm.NotFound && a.API == config.AdvisorOllama:
		f.Fix = fmt.Sprintf(`curl --fail %s/api/pull --data '{"model": %q}'`, a.URL, a.Model)
	case outcome == llm.Unreachable:
		if forward, inCluster := e.forward(ctx, a.URL, "--model-url", 9091); inCluster {
			f.Severity, f.What, f.Fix = Unseen, "its address is known inside the cluster only; forward its port, and name it with --model-url", forward
		}
	}
	return []Finding{f}
}
