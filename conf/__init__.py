"""The YAML files a run is composed of (Hydra reads them as `pkg://dlexp.conf`)."""
