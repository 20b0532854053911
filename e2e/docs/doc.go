// Package docs runs every command that the documentation shows, on a cluster with the demo's shop and a running Loadline. Its
// only content is a test.
package docs
