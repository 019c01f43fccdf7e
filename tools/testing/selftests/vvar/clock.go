// SPDX-License-Identifier: GPL-2.0

// Reads the clock by the vDSO, which Go's runtime looks up by itself, from many
// goroutines and from a signal's.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

func main() {
	var wait sync.WaitGroup

	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	syscall.Kill(os.Getpid(), syscall.SIGHUP)
	<-hup
	for i := 0; i < 8; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			last := time.Now()
			for n := 0; n < 100000; n++ {
				now := time.Now()
				if now.Before(last) {
					fmt.Println("backwards", last, now)
					os.Exit(1)
				}
				last = now
			}
		}()
	}
	wait.Wait()
}
