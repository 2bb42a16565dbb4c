// Command signalbox is a GitLab-compatible CI coordinator with chat as a pipeline source.
package main

func main() {}
