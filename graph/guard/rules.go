package guard

import "github.com/vektah/gqlparser/v2/validator/rules"

// Rules returns gqlparser's default validation rules with every "did you mean" removed.
// A suggestion compares an unknown name with all known ones, which costs about 100 ms for
// a document inside the default limits against a type of 100 fields, and it tells names
// of the schema to callers who cannot read it. gqlgen's own SetDisableSuggestion leaves
// the suggestions for arguments, input fields and enum values. Each call makes a new set:
// exec.SetDefaultRulesFn(guard.Rules).
func Rules() *rules.Rules {
	set := rules.NewDefaultRules()
	set.ReplaceRule(rules.FieldsOnCorrectTypeRule.Name, rules.FieldsOnCorrectTypeRuleWithoutSuggestions.RuleFunc)
	set.ReplaceRule(rules.KnownArgumentNamesRule.Name, rules.KnownArgumentNamesRuleWithoutSuggestions.RuleFunc)
	set.ReplaceRule(rules.KnownTypeNamesRule.Name, rules.KnownTypeNamesRuleWithoutSuggestions.RuleFunc)
	set.ReplaceRule(rules.ScalarLeafsRule.Name, rules.ScalarLeafsRuleWithoutSuggestions.RuleFunc)
	set.ReplaceRule(rules.ValuesOfCorrectTypeRule.Name, rules.ValuesOfCorrectTypeRuleWithoutSuggestions.RuleFunc)
	return set
}
