package main

import (
	"errors"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     []string
		err      error
	}{
		{"pass", `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`, []string{"1 passed, 0 failed, 0 skipped"}, nil},
		{"subtests count, their parent does not", `{"Action":"pass","Package":"p","Test":"TestA/x"}
{"Action":"pass","Package":"p","Test":"TestA/y"}
{"Action":"pass","Package":"p","Test":"TestA"}`, []string{"2 passed, 0 failed, 0 skipped"}, nil},
		{"a failing subtest counts once", `{"Action":"fail","Package":"p","Test":"TestA/x"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`, []string{"0 passed, 1 failed, 0 skipped"}, errFailed},
		{"a parent that fails by itself counts", `{"Action":"pass","Package":"p","Test":"TestA/x"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: lost a row\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`, []string{"lost a row", "1 passed, 1 failed, 0 skipped"}, errFailed},
		{"skip with its reason", `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:7: needs nft:\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"        apt-get install nftables\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p","Test":"TestC"}`,
			[]string{"p TestA: needs nft: apt-get install nftables\n", "p TestB: no reason given", "1 passed, 0 failed, 2 skipped"}, nil},
		{"a package that does not build", `{"ImportPath":"p [p.test]","Action":"build-output","Output":"p.go:1:1: broken\n"}
{"ImportPath":"p [p.test]","Action":"build-fail"}
{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`,
			[]string{"p.go:1:1: broken", "0 passed, 1 failed, 0 skipped"}, errFailed},
		{"a test that never ends", `{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestB"}`, []string{"1 passed, 1 failed, 0 skipped"}, errFailed},
		{"nothing ran", `{"Action":"skip","Package":"p"}`, []string{"0 passed, 0 failed, 0 skipped"}, errNone},
		{"words of the go command", "go: no such package", []string{"go: no such package\n"}, errNone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out strings.Builder
			if err := run(strings.NewReader(tc.in), &out); !errors.Is(err, tc.err) {
				t.Errorf("run: error %v, want %v", err, tc.err)
			}
			for _, want := range tc.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the output lacks %q:\n%s", want, out.String())
				}
			}
		})
	}
}
