package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// tokenSeconds is how long a service account's token is good for: a day.
const tokenSeconds = 24 * 3600

// ServiceAccountKubeconfig returns access as an existing service account and
// with its rights alone, as a kubeconfig file and as a client configuration.
func (c *Cluster) ServiceAccountKubeconfig(ctx context.Context, namespace, name string) (string, *rest.Config, error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(tokenSeconds))}}
	token, err := c.clients.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return "", nil, fmt.Errorf("request a token for the service account %s/%s: %w", namespace, name, err)
	}
	path := filepath.Join(c.Dir, "accounts", namespace+"."+name+".kubeconfig")
	user := &clientcmdapi.AuthInfo{Token: token.Status.Token}
	if err := c.writeKubeconfig(path, namespace+"."+name, user); err != nil {
		return "", nil, err
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return "", nil, fmt.Errorf("read the kubeconfig of the service account %s/%s: %w", namespace, name, err)
	}
	return path, cfg, nil
}

// notServedYet tells the answers of an API server to which a kind is not known
// yet.
func notServedYet(err error) bool {
	if meta.IsNoMatchError(err) {
		return true
	}
	status, ok := errors.AsType[*apierrors.StatusError](err)
	return ok && status.ErrStatus.Code == http.StatusNotFound
}
