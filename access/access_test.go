package access_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/harrier-xdr/harrier/access"
	"github.com/harrier-xdr/harrier/hunt"
)

func codeOf(err error) hunt.Code {
	var e *hunt.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestScope(t *testing.T) {
	for name, c := range map[string]struct {
		has, asked, want []string
		code             hunt.Code
	}{
		"the only one":         {[]string{"a"}, nil, []string{"a"}, ""},
		"the only one, named":  {[]string{"a"}, []string{"a"}, []string{"a"}, ""},
		"two, one named":       {[]string{"a", "b"}, []string{"b"}, []string{"b"}, ""},
		"two, both named":      {[]string{"a", "b"}, []string{"b", "a"}, []string{"b", "a"}, ""},
		"two, none named":      {[]string{"a", "b"}, nil, nil, hunt.BadUserInput},
		"none at all":          {nil, nil, nil, hunt.BadUserInput},
		"an empty list":        {[]string{"a"}, []string{}, nil, hunt.BadUserInput},
		"a foreign one":        {[]string{"a"}, []string{"b"}, nil, hunt.UnknownTenant},
		"one of two foreign":   {[]string{"a"}, []string{"a", "b"}, nil, hunt.UnknownTenant},
		"other case":           {[]string{"a"}, []string{"A"}, nil, hunt.UnknownTenant},
		"no name":              {[]string{"a"}, []string{""}, nil, hunt.UnknownTenant},
		"of nobody, named":     {nil, []string{"a"}, nil, hunt.UnknownTenant},
		"a prefix of a tenant": {[]string{"acme"}, []string{"acm"}, nil, hunt.UnknownTenant},
	} {
		got, err := (&access.Principal{Name: "p", Tenants: c.has}).Scope(c.asked)
		if codeOf(err) != c.code || (err != nil) != (c.code != "") || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v; want %v %s", name, got, err, c.want, c.code)
		}
		var e *hunt.Error
		if errors.As(err, &e) && e.Path != "tenants" {
			t.Errorf("%s: path %q", name, e.Path)
		}
	}
	none, _ := (&access.Principal{}).Scope(nil)
	if none != nil {
		t.Errorf("a principal without tenants searches %v", none)
	}
}

func TestTokens(t *testing.T) {
	tokens := access.NewTokens()
	alice := &access.Principal{Name: "alice", Tenants: []string{"b", "a"}}
	token := access.NewToken()
	if err := tokens.Add(access.HashToken(token), alice); err != nil {
		t.Fatal(err)
	}
	if got, err := tokens.Find(token); err != nil || got != alice || !slices.Equal(got.Tenants, []string{"a", "b"}) {
		t.Errorf("found %v, %v", got, err)
	}
	if err := tokens.Add(access.HashToken(""), &access.Principal{Name: "empty"}); err != nil {
		t.Fatal(err)
	}
	for name, wrong := range map[string]string{
		"none": "", "a prefix": token[:len(token)-1], "longer": token + "x", "the hash": access.HashToken(token), "its digits": strings.TrimPrefix(access.HashToken(token), "sha256:"),
		"other case": strings.ToUpper(token), "spaces": " " + token, "another": access.NewToken(),
	} {
		got, err := tokens.Find(wrong)
		if got != nil || codeOf(err) != hunt.Unauthenticated {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if wrong != "" && strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: the error holds what was given: %v", name, err)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	tokens := access.NewTokens()
	good := access.HashToken("x")
	if err := tokens.Add(good, &access.Principal{Name: "alice"}); err != nil {
		t.Fatal(err)
	}
	for name, hashed := range map[string]string{
		"in clear": "x", "nothing": "", "no scheme": good[len("sha256:"):], "another scheme": "md5:" + good[len("sha256:"):], "cut": good[:len(good)-2], "longer": good + "00",
		"no digits": "sha256:" + strings.Repeat("zz", 32), "twice": good, "twice in capitals": "sha256:" + strings.ToUpper(good[len("sha256:"):]),
	} {
		if err := tokens.Add(hashed, &access.Principal{Name: "bob"}); codeOf(err) != hunt.BadConfig {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p, err := tokens.Find("x"); err != nil || p.Name != "alice" {
		t.Errorf("the token of alice finds %v, %v", p, err)
	}
}

func TestHashToken(t *testing.T) {
	if got := access.HashToken("abc"); got != "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" { // FIPS 180-4, appendix
		t.Errorf("the hash of abc is %s", got)
	}
	if strings.Contains(access.HashToken("harrier_secret"), "secret") {
		t.Error("the hash holds the token")
	}
}

func TestNewTokensDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		token := access.NewToken()
		if !strings.HasPrefix(token, "harrier_") || len(token) != len("harrier_")+43 || seen[token] {
			t.Fatalf("token %d is %q", len(seen), token)
		}
		seen[token] = true
	}
}

func TestPrincipalOfARequest(t *testing.T) {
	if _, err := access.From(t.Context()); codeOf(err) != hunt.Unauthenticated {
		t.Errorf("no principal gives %v", err)
	}
	alice := &access.Principal{Name: "alice"}
	if got, err := access.From(access.With(t.Context(), alice)); err != nil || got != alice {
		t.Errorf("%v, %v", got, err)
	}
}

// TestTokensAreSharedByRequests: lookups run at once.
func TestTokensAreSharedByRequests(t *testing.T) {
	tokens := access.NewTokens()
	if err := tokens.Add(access.HashToken("x"), &access.Principal{Name: "alice"}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := tokens.Find("x"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
