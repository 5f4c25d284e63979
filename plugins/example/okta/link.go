package okta

import (
	"net/url"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
)

// nextLink returns where the next page is, nil if there is none. headers are the Link headers of an answer (RFC 8288). The link must
// lead to the same endpoint of the same organisation: a server cannot have the token sent elsewhere.
func nextLink(headers []string, here *url.URL) (*url.URL, *hunt.Error) {
	targets := linksTo("next", headers)
	if len(targets) == 0 {
		return nil, nil
	}
	u, err := url.Parse(targets[0])
	if err != nil {
		return nil, hunt.Errorf(hunt.SourceFailed, "the link to the next page is no URL")
	}
	next := here.ResolveReference(u)
	if next.Scheme != here.Scheme || next.Host != here.Host || next.Path != here.Path || next.User != nil {
		return nil, hunt.Errorf(hunt.SourceFailed, "the link to the next page leads away from %s://%s%s; it was not followed", here.Scheme, here.Host, here.Path)
	}
	if next.RawQuery == here.RawQuery {
		return nil, hunt.Errorf(hunt.SourceFailed, "the link to the next page leads to the page that it is on")
	}
	return next, nil
}

// linksTo returns the targets of the links with a relation. What is no link is passed over.
func linksTo(relation string, headers []string) []string {
	var out []string
	for _, text := range headers {
		for {
			open := strings.IndexByte(text, '<')
			if open < 0 {
				break
			}
			end := strings.IndexByte(text[open:], '>')
			if end < 0 {
				break
			}
			target := text[open+1 : open+end]
			parameters, rest := cutParameters(text[open+end+1:])
			if hasRelation(parameters, relation) {
				out = append(out, target)
			}
			text = rest
		}
	}
	return out
}

// cutParameters cuts the parameters of a link off: up to a comma that is not within quotes.
func cutParameters(text string) (parameters, rest string) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			return text[:i], text[i+1:]
		}
	}
	return text, ""
}

// hasRelation looks for rel="next" or rel=next among parameters.
func hasRelation(parameters, relation string) bool {
	for part := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "rel") {
			continue
		}
		for word := range strings.FieldsSeq(strings.Trim(strings.TrimSpace(value), `"`)) {
			if strings.EqualFold(word, relation) {
				return true
			}
		}
	}
	return false
}
