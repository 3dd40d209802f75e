"""The labelled faces: data sets, archives, what people voted, how they are prepared."""
