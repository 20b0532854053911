package image

import "strings"

// tag is the part of a name after its last colon, unless that belongs to the port of a registry.
func tag(name string) string {
	if at := strings.LastIndexByte(name, ':'); at > strings.LastIndexByte(name, '/') {
		return name[at+1:]
	}
	return "latest"
}

// qualified is a name as container engines store it: with a registry and a tag, both of which people leave out.
func qualified(name string) string {
	first, _, path := strings.Cut(name, "/")
	switch {
	case !path:
		name = "docker.io/library/" + name
	case !strings.ContainsAny(first, ".:") && first != "localhost":
		name = "docker.io/" + name
	}
	if strings.LastIndexByte(name, ':') < strings.LastIndexByte(name, '/') {
		name += ":latest"
	}
	return name
}
