package node

import "testing"

// SetJavaFolder makes findJava look below another folder than the machine's until the end of the test.
func SetJavaFolder(t *testing.T, folder string) {
	before := javaFolder
	javaFolder = folder
	t.Cleanup(func() { javaFolder = before })
}
