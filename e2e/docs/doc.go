// Package docs runs every block of commands that the documentation shows, on a cluster with the demo's shop and a running Loadline,
// unless a comment on the page says why not. Its only content is a test. Not all is as for a person:
//
//   - make really runs for what is cheap; of the other targets it only looks whether they exist, as continuous integration runs each.
//   - helm install is a trial on the API server (--dry-run=server): the parts of Loadline run already. Before the page on uninstalling it
//     runs for real.
//   - loadline doctor may find errors: Loadline's Deployments are simulated pods here, and the parts that work are processes.
//   - kubectl logs and kubectl top fail as they do on simulated nodes, which is let pass; that the pods exist is shown.
//
// Commands in tables and within texts are looked at by a unit test of cmd/loadline: the command and its flags exist.
package docs
