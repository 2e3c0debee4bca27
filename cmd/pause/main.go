// Command pause is the only program in the image of every pod's sandbox. It is
// a program of its own because one runs for every pod: at 2 MB it is a sixth of
// what it would be inside eksact-node, and its image changes only when it does.
package main

import "github.com/eksact/eksact/internal/node/pause"

func main() {
	pause.Main()
}
