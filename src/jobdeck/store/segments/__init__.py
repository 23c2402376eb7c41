"""Ended jobs in columns: what lists and counts ask of is kept beside the rows, a block of ids at a time.

A *segment* holds the columns of the ended jobs of `SIZE` ids, written once, off the way of a job. What has to be asked
of the rows themselves: ids of no segment yet, and the *loose* jobs, which had not ended when their segment was sealed,
or have changed or gone since; a trigger notes those. So every answer is exact, and the table of jobs needs no index for
lists."""
