package guard

import (
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/lexer"
)

// scan reads the text token by token with gqlparser's own lexer, which does not recurse,
// so that the recursive parser never sees a text that nests too deep.
func (l Limits) scan(text string) *gqlerror.Error {
	lex := lexer.New(&ast.Source{Input: text})
	var c counter
	for {
		token, err := lex.ReadToken()
		if err != nil {
			return syntaxError(err)
		}
		if token.Kind == lexer.EOF {
			return nil
		}
		c.add(token)
		if x := c.excess(l); x.limit != "" {
			return exceeded(x, &token.Pos)
		}
	}
}

type counter struct {
	tokens, nesting, directives, name int
}

func (c *counter) add(t lexer.Token) {
	c.tokens++
	c.name = 0
	switch t.Kind {
	case lexer.BraceL, lexer.BracketL, lexer.ParenL:
		c.nesting++
	case lexer.BraceR, lexer.BracketR, lexer.ParenR:
		c.nesting = max(c.nesting-1, 0) // a stray closer must not pay for later openers
	case lexer.At:
		c.directives++
	case lexer.Name:
		c.name = len(t.Value)
	}
}

func (c *counter) excess(l Limits) excess {
	switch {
	case c.tokens > l.Tokens:
		return excess{"tokens", l.Tokens, c.tokens}
	case c.nesting > l.Nesting:
		return excess{"nesting of brackets", l.Nesting, c.nesting}
	case c.directives > l.Directives:
		return excess{"directives", l.Directives, c.directives}
	case c.name > l.NameBytes:
		return excess{"bytes of a name", l.NameBytes, c.name}
	}
	return excess{}
}
