package v1alpha1

// Condition types of a Recommendation.
const (
	// ConditionReady is true when applicable holds sizes that the webhook and the updater may use.
	ConditionReady = "Ready"
	// ConditionHistoryReady is true when enough history was read to size the workload, and it is up to date.
	ConditionHistoryReady = "HistoryReady"
	// ConditionForecastReady is true when a forecast was computed.
	ConditionForecastReady = "ForecastReady"
	// ConditionAdvised is true when events and business context were taken into account.
	ConditionAdvised = "Advised"
	// ConditionApproved is true when the candidate may be applied.
	ConditionApproved = "Approved"
	// ConditionApplied is true when the running pods carry applicable, or have more and keep it until they are replaced.
	// Written by the updater.
	ConditionApplied = "Applied"
	// ConditionHealthy is false when a change did harm. Written by the updater.
	ConditionHealthy = "Healthy"
	// ConditionStale is true when the sizes were not confirmed for more than 24 hours.
	ConditionStale = "Stale"
)

// Reasons of conditions.
const (
	ReasonSized               = "Sized"
	ReasonWaitingForHistory   = "WaitingForHistory"
	ReasonHistoryRead         = "HistoryRead"
	ReasonHistoryUnavailable  = "HistoryUnavailable"
	ReasonNoHistory           = "NoHistory"
	ReasonMeasurementsStopped = "MeasurementsStopped"
	ReasonNothingToSize       = "NothingToSize"
	ReasonPodLevelResources   = "PodLevelResources"
	ReasonForecast            = "Forecast"
	ReasonHistoryTooShort     = "HistoryTooShort"
	ReasonRules               = "Rules"
	ReasonModel               = "Model"
	ReasonNoEvents            = "NoEvents"
	ReasonAutomatic           = "Automatic"
	ReasonApprovedByPerson    = "ApprovedByPerson"
	ReasonWaitingForApproval  = "WaitingForApproval"
	ReasonOnHold              = "OnHold"
	ReasonFresh               = "Fresh"
	ReasonInvalidAnnotation   = "InvalidAnnotation"
	ReasonVPA                 = "VerticalPodAutoscaler"
	ReasonInvalidPolicy       = "InvalidPolicy"
	ReasonOptedOut            = "OptedOut"
	ReasonTargetGone          = "TargetGone"
	ReasonUpToDate            = "UpToDate"
	ReasonDrifted             = "Drifted"
	ReasonWaiting             = "Waiting"
	ReasonNotAutomatic        = "NotAutomatic"
	ReasonWatching            = "Watching"
	ReasonDidNotStick         = "DidNotStick"
	ReasonNoHarmSeen          = "NoHarmSeen"
	ReasonHarmed              = "Harmed"
	ReasonRolledBack          = "RolledBack"
)

// Field managers: each owns its own part of a Recommendation.
const (
	FieldManagerRecommender = "loadline-recommender"
	FieldManagerUpdater     = "loadline-updater"
	FieldManagerCLI         = "loadline-cli"
)
