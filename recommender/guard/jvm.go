package guard

// jvm never takes memory away from a Java virtual machine. It sizes its heap from the limit and fills it, so usage says
// little about need, and a smaller limit makes the next start smaller or fail.
//
// Example: the template asks for 4Gi, the proposal is 2Gi → stays 4Gi.
func jvm(d *draft) {
	for _, s := range d.sizes {
		if !s.container.JVM {
			continue
		}
		d.raiseOnly(s.memory, "jvm", "a Java virtual machine sizes its heap from its limit")
	}
}
