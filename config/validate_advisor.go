package config

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Bounds of an advisor's context. An answer holds at least one adjustment, and a prompt takes at least as much again.
const (
	leastContextTokens, mostContextTokens = 2048, 1 << 20
	leastAnswerTokens, mostAnswerTokens   = 440, 4096
	// maxModelName is how much of a name a Recommendation keeps.
	maxModelName = 128
)

func (v *checks) advisor(at *field.Path, a *Advisor) {
	v.rule(at.Child("url"), "an http or https URL, or empty")
	v.rule(at.Child("api"), choice([]AdvisorAPI{AdvisorOllama, AdvisorOpenAI}))
	v.rule(at.Child("model"), fmt.Sprintf("1 to %d bytes", maxModelName))
	if a.URL != "" {
		v.httpURL(at.Child("url"), a.URL, "must have no user, query or fragment; a token belongs into bearerTokenFile")
	}
	if a.API != AdvisorOllama && a.API != AdvisorOpenAI {
		v.add(field.NotSupported(at.Child("api"), a.API, []AdvisorAPI{AdvisorOllama, AdvisorOpenAI}))
	}
	switch {
	case a.Model == "":
		v.add(field.Required(at.Child("model"), "the server's name of the model"))
	case len(a.Model) > maxModelName:
		v.add(field.TooLong(at.Child("model"), a.Model, maxModelName))
	}
	v.skipVerify(at.Child("tls", "insecureSkipVerify"), a.TLS.InsecureSkipVerify, a.TLS.CAFile)
	v.headers(at.Child("headers"), a.Headers, "use bearerTokenFile, which keeps the secret in a file")
	v.within(at.Child("contextTokens"), float64(a.ContextTokens), leastContextTokens, mostContextTokens)
	v.within(at.Child("answerTokens"), float64(a.AnswerTokens), leastAnswerTokens, mostAnswerTokens)
	v.rule(at.Child("answerTokens"), "at most half of contextTokens")
	if a.AnswerTokens > a.ContextTokens/2 {
		v.add(field.Invalid(at.Child("answerTokens"), a.AnswerTokens, "must be at most half of contextTokens: the rest is for the prompt"))
	}
	v.within(at.Child("maxResponseBytes"), float64(a.MaxResponseBytes), 1<<10, 500_000)
	v.within(at.Child("threads"), float64(a.Threads), 0, 1024)
	v.duration(at.Child("keepAlive"), a.KeepAlive, time.Second, 7*24*time.Hour)
	v.duration(at.Child("deadline"), a.Deadline, time.Second, time.Hour)
	v.within(at.Child("tries"), float64(a.Tries), 1, 10)
	v.within(at.Child("questionsPerHour"), float64(a.QuestionsPerHour), 1, 100_000)
}
