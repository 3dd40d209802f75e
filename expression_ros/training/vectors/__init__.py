"""Training the classifiers on descriptors: svm, knn, mlp and landmarks."""
