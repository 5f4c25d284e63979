package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
)

// Principal is somebody who may ask.
type Principal struct {
	Name    string
	Tenants []string // sorted
}

// Scope returns the tenants that a request may search. A principal that sees several must name them; nobody gets a default among
// several. A tenant that does not exist and one that is somebody else's are the same error.
func (p *Principal) Scope(asked []string) ([]string, error) {
	if asked == nil {
		switch len(p.Tenants) {
		case 0:
			return nil, &hunt.Error{Code: hunt.BadUserInput, Path: "tenants", Message: "your token has no tenant, so there is nothing to search; ask your administrator for one"}
		case 1:
			return p.Tenants, nil
		}
		return nil, &hunt.Error{Code: hunt.BadUserInput, Path: "tenants", Message: "name the tenants to search: your token has several of them"}
	}
	if len(asked) == 0 {
		return nil, &hunt.Error{Code: hunt.BadUserInput, Path: "tenants", Message: "the list of tenants is empty; name at least one"}
	}
	for _, t := range asked {
		if !slices.Contains(p.Tenants, t) {
			return nil, &hunt.Error{Code: hunt.UnknownTenant, Path: "tenants", Message: fmt.Sprintf("no tenant %q", t)}
		}
	}
	return asked, nil
}

// Tokens finds principals by their tokens. It is safe for concurrent use.
type Tokens struct {
	byHash map[[sha256.Size]byte]*Principal
}

// hashPrefix marks how a token is hashed, so that a later scheme can stand beside it.
const hashPrefix = "sha256:"

// NewTokens makes an empty table.
func NewTokens() *Tokens { return &Tokens{byHash: map[[sha256.Size]byte]*Principal{}} }

// Add lets a principal in by a hashed token, as HashToken writes it.
func (t *Tokens) Add(hashed string, p *Principal) error {
	digits, ok := strings.CutPrefix(hashed, hashPrefix)
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || len(raw) != sha256.Size {
		return &hunt.Error{Code: hunt.BadConfig, Message: "a token is stored as sha256: and 64 hexadecimal digits; `harrier token` makes one"}
	}
	key := [sha256.Size]byte(raw)
	if t.byHash[key] != nil {
		return &hunt.Error{Code: hunt.BadConfig, Message: fmt.Sprintf("principals %s and %s have the same token", t.byHash[key].Name, p.Name)}
	}
	slices.Sort(p.Tenants)
	t.byHash[key] = p
	return nil
}

// Find returns the principal of a token, or an error with code UNAUTHENTICATED. Looking up a hash takes no time that tells how much
// of a token is right.
func (t *Tokens) Find(token string) (*Principal, error) {
	if p := t.byHash[sha256.Sum256([]byte(token))]; p != nil && token != "" {
		return p, nil
	}
	return nil, &hunt.Error{Code: hunt.Unauthenticated, Message: "the request needs a valid bearer token in the header Authorization"}
}

// HashToken returns what is stored of a token. Tokens are random and long, so a plain hash is enough.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hashPrefix + hex.EncodeToString(sum[:])
}

// NewToken makes a token of 256 random bits. The prefix lets secret scanners find it.
func NewToken() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails
	return "harrier_" + base64.RawURLEncoding.EncodeToString(b[:])
}

type contextKey struct{}

// With returns a context that carries the principal of a request.
func With(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// From returns the principal of a request, or an error with code UNAUTHENTICATED.
func From(ctx context.Context) (*Principal, error) {
	if p, ok := ctx.Value(contextKey{}).(*Principal); ok {
		return p, nil
	}
	return nil, &hunt.Error{Code: hunt.Unauthenticated, Message: "the request has no principal"}
}
