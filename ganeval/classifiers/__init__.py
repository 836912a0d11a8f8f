"""Image classifiers, trained on the dataset that is evaluated, or on what a generator makes.

Their features take Inception's place where images are not natural photographs, and their logits are what AM Score and the
accuracy of conditional samples need (Zhou et al., Activation Maximization GAN, ICLR 2018: "a classifier trained on the
target data set, not Inception"). A number that rests on one means nothing without the classifier's own test accuracy, so
that stands in its record.
"""
