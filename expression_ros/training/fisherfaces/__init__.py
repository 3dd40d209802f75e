"""Training the ensemble of Fisherfaces and its calibration."""
