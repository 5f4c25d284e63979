//go:build !race

package scaffold_test

func raceFlag() []string { return nil }
