"""Operations on selections of jobs: what was asked and how far it is, the jobs named, and the preview of them."""
