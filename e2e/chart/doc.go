// Package chart shows that charts/loadline gives what it promises: its tests render it with Helm's own packages and compare it
// with what kustomize makes of config/, with the schemas of several Kubernetes versions, and with the code.
package chart
