//go:build race

package scaffold_test

// raceFlag is how the project's tests are run where these run with the race detector.
func raceFlag() []string { return []string{"-race"} }
