//! Nowcasts: the model, its quantiles and their verification.
