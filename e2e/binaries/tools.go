//go:build tools

package binaries

// Keeps what Helm's command is made of among this module's requirements, besides what its packages are.
import _ "helm.sh/helm/v4/cmd/helm"
