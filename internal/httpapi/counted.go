package httpapi

import (
	"context"
	"net/http"
)

// countedKey is the key of what ends the counting of a request.
type countedKey struct{}

// Counted is a request that counts against its address until give is called: when it is answered, or by Uncount before.
func Counted(r *http.Request, give func()) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), countedKey{}, give))
}

// Uncount lets a request count no longer, because it has done what it costs and waits for something to happen. It does nothing
// for one that is not counted.
func Uncount(r *http.Request) {
	if give, ok := r.Context().Value(countedKey{}).(func()); ok {
		give()
	}
}
