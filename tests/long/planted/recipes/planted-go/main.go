package main

import "fmt"

func planted(x uint64) uint64

func main() { fmt.Println(planted(5)) }
