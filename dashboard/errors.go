package dashboard

import (
	"errors"
	"fmt"
	"net/http"
)

// requestError is a request that cannot be answered because of what it asks for.
type requestError struct {
	status  int
	message string
}

func (e requestError) Error() string { return e.message }

func notFound(format string, args ...any) error {
	return requestError{http.StatusNotFound, fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return requestError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// failure is the page of an error.
func failure(err error) (view, int) {
	if wrong, ok := errors.AsType[requestError](err); ok {
		title := "Not found"
		if wrong.status == http.StatusBadRequest {
			title = "This cannot be asked for"
		}
		return view{Template: "failure", Title: title, Data: wrong.message}, wrong.status
	}
	return view{Template: "failure", Title: "The cluster could not be read", Data: err.Error()}, http.StatusBadGateway
}
