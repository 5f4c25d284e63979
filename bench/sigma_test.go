package bench_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// sigmaKeywords takes n keywords out of the Sigma rules of the shared folder: values of `CommandLine|contains` and
// `ScriptBlockText|contains`, in lower case, chosen by a fixed seed. They are read anew in every run and never stored. It returns none
// if the rules are absent.
func sigmaKeywords(n int) ([]string, error) {
	found, err := filepath.Glob(rulesGlob)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	f, err := os.Open(found[0])
	if err != nil {
		return nil, err
	}
	defer f.Close()
	plain, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	all := map[string]bool{}
	archive := tar.NewReader(plain)
	for {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(head.Name, "rules") || !strings.HasSuffix(head.Name, ".yml") {
			continue
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			return nil, err
		}
		keywordsOf(text, all)
	}
	list := []string{}
	for k := range all {
		list = append(list, k)
	}
	slices.Sort(list)
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	list = list[:min(n, len(list))]
	slices.Sort(list)
	return list, nil
}

// keywordsOf adds the keywords of one rule. A text that is no rule has none.
func keywordsOf(text []byte, into map[string]bool) {
	var rule struct {
		Detection map[string]any `yaml:"detection"`
	}
	if yaml.Unmarshal(text, &rule) != nil {
		return
	}
	for _, selection := range rule.Detection {
		addKeywords(selection, into)
	}
}

func addKeywords(node any, into map[string]bool) {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			addKeywords(item, into)
		}
	case map[string]any:
		for key, value := range node {
			switch key {
			case "CommandLine|contains", "CommandLine|contains|all", "ScriptBlockText|contains", "ScriptBlockText|contains|all":
				addKeyword(value, into)
			}
		}
	}
}

// addKeyword leaves out short words, which match nearly everything, and wildcards, which are no plain keywords.
func addKeyword(value any, into map[string]bool) {
	const shortest = 6
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			addKeyword(item, into)
		}
	case string:
		if len(value) >= shortest && !strings.ContainsAny(value, `*?`) {
			into[strings.ToLower(strings.ReplaceAll(value, `\\`, `\`))] = true
		}
	}
}
