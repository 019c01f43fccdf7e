// SPDX-License-Identifier: GPL-2.0

// Reads the time of day by Go's runtime, and says how often: "clock-calls N". For
// scripts/vdso-top.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

func main() {
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		os.Exit(2)
	}
	for i := 0; i < n; i++ {
		time.Now()
	}
	fmt.Println("clock-go", 0, n)
}
