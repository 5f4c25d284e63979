package strictyaml

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
)

// Decode decodes a text of one YAML document. Message writes its errors for people.
func Decode(text []byte, into any) error {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return err
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return errors.New("the file must be one YAML document that is not empty")
	}
	resolve(file)
	return yaml.NewDecoder(strings.NewReader(""), yaml.Strict()).DecodeFromNode(file.Docs[0].Body, into)
}

// Message writes a decoding error as `line L, column C: what`.
func Message(err error) string {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		p := e.GetToken().Position
		return fmt.Sprintf("line %d, column %d: %s", p.Line, p.Column, e.GetMessage())
	}
	return err.Error()
}
