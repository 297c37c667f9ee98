package transfer

import "slices"

// Columns lists what is carried over.
func Columns() []string {
	var all []string
	for _, t := range tables() {
		for _, name := range t.names() {
			all = append(all, t.name+"."+name)
		}
	}
	slices.Sort(all)
	return all
}
