package kube

// LocateWith is Locate with another folder for the service account's files.
var LocateWith = locate

// ParseKubeconfig reads one file's content as the file at path.
func ParseKubeconfig(path string, data []byte) (*Cluster, error) {
	m := newMerged()
	if err := m.add(path, data); err != nil {
		return nil, err
	}
	return m.cluster()
}
